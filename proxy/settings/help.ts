import { type Documented, helpEntries } from '../../settings/documentation.ts'
import { ROWS } from './table.ts'

/** Every setting for `help all`, at most 110 columns wide, without a final newline. `more` are those of other modules. */
export function settingsHelp(more: readonly Documented[] = []): string {
  return helpEntries([...ROWS, ...more])
}
