import assert from 'node:assert/strict'

/** The spans with this name. */
export function named<Span extends { readonly name: string }>(spans: readonly Span[], name: string): readonly Span[] {
  return spans.filter((span) => span.name === name)
}

/** The span with this name. Fails if there are none or several. */
export function only<Span extends { readonly name: string }>(spans: readonly Span[], name: string): Span {
  const found = named(spans, name)
  assert.equal(found.length, 1, `${found.length} spans are called ${name}`)
  return found[0]!
}
