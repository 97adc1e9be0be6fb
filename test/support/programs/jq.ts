/** jq, with which the README and the runbooks filter the log. */
import { run } from '../../clients/command.ts'
import { unless } from './programs.ts'

const found = (await run({ file: 'jq', args: ['--version'], env: { PATH: process.env.PATH } })).code === 0

/** The options of a test that runs jq: it is skipped by name where jq is missing. */
export const needsJq = unless(found ? undefined : 'jq is not installed: apt-get install jq')
