import assert from 'node:assert/strict'
import { test } from 'node:test'
import { envExample, withSettings } from '../../../docs/generate/env-example.ts'
import { readDocument } from '../../support/docs/documents.ts'

test('each variable is commented out, with its value in the image', () => {
  const rows = [
    {
      variable: 'A_LISTEN',
      default: 'http://127.0.0.1:80',
      inImage: 'http://0.0.0.0:80',
      meaning: 'Where `A` listens.',
    },
    { variable: 'A_FILE', default: '', meaning: 'A file.' },
    { variable: 'A_SIZE', default: '5', meaning: `Long. ${'word '.repeat(30)}end.` },
  ]
  assert.equal(
    envExample({ title: 'A', about: 'The `A`.', rows }),
    `# --- A ---
# The A.

# Where A listens.
#A_LISTEN=http://0.0.0.0:80

# A file.
#A_FILE=

# Long. word word word word word word word word word word word word word word word word word word word word word word
# word word word word word word word word end.
#A_SIZE=5
`,
  )
})

test('the file has the values of compose.yaml, and not the setting that compose.yaml fixes', () => {
  const text = readDocument('.env.example')
  assert.ok(text.includes('\n#OTEL_EXPORTER_OTLP_ENDPOINT=http://tempo:4318\n'))
  assert.doesNotMatch(text, /PROXY_ADMIN=/)
})

test('a file without the line that begins the part is refused', () => {
  assert.throws(() => withSettings('A=1\n'), /^Error: \.env\.example has no line "# --- `npm run docs`/)
})
