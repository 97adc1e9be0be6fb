/** The control page as plain text, for `curl` and `--help`. */
import type { ActiveFaults } from '../active-faults.ts'
import { FAULT_POINTS } from '../fault.ts'
import { faultType } from '../fault-names.ts'
import { FAULTS } from '../faults/index.ts'
import { REHEARSALS } from '../rehearsals.ts'

/** The faults that are set, the requests that the buttons send, then all faults. */
export function overview(faults: ActiveFaults): string {
  const active = faults.list().map(({ name, options, applied }) => {
    return `${name} ${JSON.stringify(options)} applied ${applied} times: ${faultType(name)?.meaning}`
  })
  return `AhaSend rehearsal. This server delivers nothing.

Active faults:
${active.length > 0 ? active.join('\n') : 'none'}

Incidents:
${incidents()}

${faultHelp()}
`
}

function incidents(): string {
  const requests = REHEARSALS.map(({ id, label }) => ({ request: `POST /rehearsals/${id}`, label }))
  const width = Math.max(...requests.map(({ request }) => request.length))
  return requests.map(({ request, label }) => `${request.padEnd(width)}  ${label}`).join('\n')
}

/** The table of faults, and how to set them. */
export function faultHelp(): string {
  const width = Math.max(...Object.keys(FAULTS).map((form) => form.length))
  const rows = Object.entries(FAULTS).map(([form, { meaning }]) => `${form.padEnd(width)}  ${meaning}`)
  return `Faults:
${rows.join('\n')}

<command> is one of ${FAULT_POINTS.join(', ')}.

At start:   --fault NAME[=probability:0.1,times:3,text:words]
Any time:   PUT /faults/NAME {"probability":0.1,"times":3,"text":"words"}; DELETE /faults/NAME; DELETE /faults
By address: fault+NAME[+NAME...]@any.example as sender (mail, rcpt, data, end-of-message) or recipient (rcpt for this
            recipient, data, end-of-message)
`
}
