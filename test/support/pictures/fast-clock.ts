/**
 * Loaded into the proxy before its code: its clock runs SPEED times as fast, and begins so early that it shows the real time
 * after the history. So the status page fills an hour in minutes. Timers are not affected. What the page shows as durations is
 * SPEED times the real one, which is about what AhaSend takes over the internet.
 */
import { HISTORY_MS, SPEED } from './pace.ts'

const realNow = Date.now
const began = realNow()
const wall = () => realNow() + (realNow() - began - HISTORY_MS) * (SPEED - 1)
const monotonic = performance.now.bind(performance)
const origin = began - HISTORY_MS * (SPEED - 1) - monotonic() * SPEED

Date.now = () => Math.round(wall())
performance.now = () => monotonic() * SPEED
Object.defineProperty(performance, 'timeOrigin', { value: origin })
