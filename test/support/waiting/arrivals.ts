import { Changes } from './changes.ts'

/** Items in the order in which they arrive; a test can wait for one of them. */
export class Arrivals<Item> {
  readonly #items: Item[] = []
  readonly #changes = new Changes()

  add(item: Item): void {
    this.#items.push(item)
    this.#changes.changed()
  }

  /** All items so far; the list grows. */
  get all(): readonly Item[] {
    return this.#items
  }

  /** The first item, past or future, that `wanted` accepts. Rejects after `limitMs`. */
  first(wanted: (item: Item) => boolean, limitMs: number): Promise<Item> {
    const failure = () => `no such item arrived within ${limitMs} ms, but: ${JSON.stringify(this.#items)}`
    return this.#changes.until(() => this.#items.find(wanted), limitMs, failure)
  }

  /** The item that follows `count` others, past or future. Rejects after `limitMs`. */
  after(count: number, limitMs: number): Promise<Item> {
    return this.first((item) => item === this.#items[count], limitMs)
  }
}
