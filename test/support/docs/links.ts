/** Finds the links of a page that lead nowhere: to a file or a heading that does not exist, or to an invalid URL. */
import { posix } from 'node:path'
import { lexer, walkTokens } from 'marked'
import { headingsOf } from '../../../docs/generate/markdown.ts'

/** The files that links can lead to. Paths are from the root. */
export interface Tree {
  /** True for files and folders. */
  exists(path: string): boolean
  /** The text of a file that exists. */
  read(path: string): string
}

/** Where the project's own files are on GitHub. */
const REPOSITORY = 'https://github.com/AhaSend/ahasend-smtp-proxy/'

/** The targets of all links and images of a page, those in HTML included. */
export function targetsIn(markdown: string): readonly string[] {
  const targets: string[] = []
  walkTokens(lexer(markdown), (token) => {
    if (token.type === 'link' || token.type === 'image') targets.push(String(token.href))
    if (token.type === 'html') {
      for (const [, target = ''] of token.raw.matchAll(/\b(?:href|src|srcset)="([^"]*)"/g)) targets.push(target)
    }
  })
  return targets
}

/** Every broken link of a page, as one sentence each. */
export function brokenLinks(path: string, tree: Tree): string[] {
  return targetsIn(tree.read(path)).flatMap((target) => {
    const problem = problemOf(path, target, tree)
    return problem === undefined ? [] : [`${path}: the link to ${target} ${problem}`]
  })
}

function problemOf(path: string, target: string, tree: Tree): string | undefined {
  if (/^https?:/i.test(target)) return problemOfUrl(target, tree)
  if (target.startsWith('mailto:')) return undefined
  if (/^[a-z][a-z+.-]*:/i.test(target)) return 'has an unknown scheme'
  const [file = '', anchor] = target.split('#')
  if (file.startsWith('/')) return 'is not relative'
  return problemOfFile(file === '' ? path : posix.join(posix.dirname(path), decodeURI(file)), anchor, tree)
}

function problemOfUrl(target: string, tree: Tree): string | undefined {
  const url = URL.parse(target)
  if (url === null || !/^https?:\/\/[^/]/i.test(target) || /[\s<>]/.test(target)) return 'is not a valid URL'
  if (!target.startsWith(`${REPOSITORY}blob/`) && !target.startsWith(`${REPOSITORY}tree/`)) return undefined
  const [, branch, file = ''] = /^(?:blob|tree)\/([^/]+)\/([^#?]*)/.exec(target.slice(REPOSITORY.length)) ?? []
  if (branch !== 'main') return 'does not lead to the branch main'
  return problemOfFile(decodeURI(file), url.hash === '' ? undefined : url.hash.slice(1), tree)
}

function problemOfFile(file: string, anchor: string | undefined, tree: Tree): string | undefined {
  const path = file.replace(/\/$/, '')
  if (path.startsWith('..')) return 'leaves the repository'
  if (!tree.exists(path)) return 'leads to no file'
  if (anchor === undefined) return undefined
  if (!path.endsWith('.md'))
    return /^L\d+(-L\d+)?$/.test(anchor) ? undefined : 'has an anchor in a file without headings'
  return anchorsOf(tree.read(path)).has(decodeURIComponent(anchor)) ? undefined : 'leads to no heading'
}

/** The anchors of a page: those of its headings, and ids in HTML. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const ids = [...markdown.matchAll(/<[a-z]+ (?:id|name)="([^"]+)"/g)].map(([, id = '']) => id)
  return new Set([...headingsOf(markdown).map(({ anchor }) => anchor), ...ids])
}
