/** OpenTelemetry's kinds of values. More that are refused: `mistakes.test.ts`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  baseEndpoint,
  endpoint,
  headers,
  protocol,
  resourceAttributes,
  truth,
  words,
} from '../../../otel/settings/values.ts'
import type { Reader } from '../../../settings/readers.ts'

const some = words('tracecontext', 'baggage')

describe('A value is read: ', () => {
  const ACCEPTED: readonly (readonly [kind: string, Reader<unknown>, text: string, value: unknown])[] = [
    ['truth', truth, 'True', true],
    ['truth', truth, 'FALSE', false],
    ['words', some, 'baggage,Tracecontext,baggage', ['tracecontext', 'baggage']],
    ['words', some, 'none', []],
    ['base endpoint', baseEndpoint, 'http://collector:4318', 'http://collector:4318/'],
    ['base endpoint', baseEndpoint, 'https://o.example/a//', 'https://o.example/a/'],
    ['endpoint', endpoint, 'https://o.example/in?key=1', 'https://o.example/in?key=1'],
    ['protocol', protocol, 'HTTP/protobuf', 'http/protobuf'],
    ['headers', headers, 'a=b%3Dc, X-D = e=f,', { a: 'b=c', 'X-D': 'e=f' }],
    ['headers', headers, '', {}],
    ['resource attributes', resourceAttributes, 'a=1, b.c=x%2Cy', { a: '1', 'b.c': 'x,y' }],
  ]
  for (const [kind, read, text, value] of ACCEPTED)
    test(`${kind}: ${text || 'nothing'}`, () => assert.deepEqual(read(text), { value }))
})

describe('A value is refused: ', () => {
  const REFUSED: readonly (readonly [kind: string, Reader<unknown>, text: string, ...got: string[]])[] = [
    ['truth', truth, '1', '"1"'],
    ['words', some, 'none,baggage', '"none,baggage"'],
    ['words', some, 'b3,x', '"b3"', '"x"'],
    ['base endpoint', baseEndpoint, 'http://h:4318?key=secret', '"http://h:4318?key=***"'],
    ['endpoint', endpoint, 'http://h:4318#x', '"http://h:4318#x"'],
    ['endpoint', endpoint, 'ftp://h/abcdefghijklmnopqrst', '"ftp://h/***"'],
    ['protocol', protocol, 'grpc', '"grpc"'],
    ['headers', headers, 'a=b,c d=e,=f', 'entry 2 of 3 (not shown)', 'entry 3 of 3 (not shown)'],
    ['resource attributes', resourceAttributes, 'a=b=c', 'entry 1 of 1 (not shown)'],
  ]
  for (const [kind, read, text, ...got] of REFUSED)
    test(`${kind}: ${text}`, () => {
      const reading = read(text)
      assert.deepEqual('faults' in reading ? reading.faults.map((fault) => fault.got) : [], got)
    })
})
