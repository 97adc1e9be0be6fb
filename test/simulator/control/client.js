/// <reference lib="dom" />
/** Keeps the control page up to date. Without this script the page loads itself again every five seconds. */

/** @typedef {{ title: string, state: string, pressed: string | null, announcement: string, parts: Record<string, string> }} Update */

const EVERY_MS = 1000

const live = /** @type {HTMLElement} */ (document.querySelector('#live'))
const announcement = /** @type {HTMLElement} */ (document.querySelector('#announcement'))

/** What each part shows. A part that does not change keeps its elements, and with them the focus and the selection. */
const shown = new Map()

/** @param {Update} update */
function show(update) {
  document.title = update.title
  document.body.dataset.state = update.state
  if (announcement.textContent !== update.announcement) announcement.textContent = update.announcement
  for (const [id, part] of Object.entries(update.parts)) {
    const element = document.getElementById(id)
    if (element === null || shown.get(id) === part) continue
    const focused = element.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null
    element.innerHTML = part
    shown.set(id, part)
    for (const link of element.querySelectorAll('a')) if (link.getAttribute('href') === focused) link.focus()
  }
  for (const button of document.querySelectorAll('button[data-incident]'))
    if (button instanceof HTMLElement) button.ariaPressed = String(button.dataset.incident === update.pressed)
}

async function refresh() {
  try {
    const response = await fetch('live')
    if (!response.ok) throw new Error(response.statusText)
    show(await response.json())
    live.textContent = 'Live'
  } catch {
    live.textContent = 'The rehearsal does not answer. This page shows its last state.'
  }
  setTimeout(refresh, EVERY_MS)
}

refresh()
