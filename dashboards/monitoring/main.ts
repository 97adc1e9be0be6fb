/**
 * The image contains the configuration of Prometheus, Tempo and Grafana. compose.yaml runs this program to copy it to a volume
 * that they read:
 *
 *     node monitoring-config.cjs FROM TO
 *
 * makes TO a copy of FROM and exits 0. If it cannot, it reports why and exits 1; without two arguments, it exits 2.
 */
import { mirrorFolder } from './folder.ts'

function main([from, to]: readonly string[]): 0 | 1 | 2 {
  if (from === undefined || to === undefined) {
    console.error(`usage: node ${process.argv[1]} FROM TO`)
    return 2
  }
  try {
    console.log(`${to}: ${mirrorFolder(from, to).join(', ')}`)
    return 0
  } catch (error) {
    console.error(`${to}: not written: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
}

process.exitCode = main(process.argv.slice(2))
