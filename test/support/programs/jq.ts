/** jq, which the pages and the runbooks use to filter the log. */
import { run } from '../../clients/command.ts'
import { unless } from './programs.ts'

const found = (await run({ file: 'jq', args: ['--version'], env: { PATH: process.env.PATH } })).code === 0

/** The options of a test that runs jq: it is skipped, with the reason, where jq is missing. */
export const needsJq = unless(found ? undefined : 'jq is not installed: apt-get install jq')
