/** Numbers and times as people read them. */

/** `12,345` */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** `0.4 ms`, `12 ms`, `1.3 s`, `2 min`; a dash for nothing. */
export function duration(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return '–'
  if (milliseconds < 10) return `${milliseconds.toFixed(1)}\u00a0ms`
  if (milliseconds < 1000) return `${Math.round(milliseconds)}\u00a0ms`
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)}\u00a0s`
  return `${Math.round(milliseconds / 60_000)}\u00a0min`
}

/** The two largest units: `3 d 4 h`, `12 s`. */
export function uptime(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds))
  const parts = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'min'],
    [total % 60, 's'],
  ] as const
  const first = parts.findIndex(([amount]) => amount > 0)
  const shown = first < 0 ? parts.slice(-1) : parts.slice(first, first + 2)
  return shown.map(([amount, unit]) => `${amount} ${unit}`).join(' ')
}

/** `99.8%`; a dash for nothing. Only 100 is 100%. */
export function percent(share: number | undefined): string {
  if (share === undefined) return '–'
  const rounded = Math.round(share * 1000) / 10
  return `${share < 1 && rounded === 100 ? '99.9' : rounded.toFixed(1)}%`
}

/** `14:03:27` in UTC, the time zone of logs and traces. */
export function clock(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(11, 19)
}

/** Whole days until `then`; negative when it is over. */
export function daysUntil(then: number, now: number): number {
  return Math.floor((then - now) / 86_400_000)
}
