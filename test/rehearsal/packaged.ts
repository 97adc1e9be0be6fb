/**
 * The demo and the rehearsal of the npm package, which are one file beside the bundle of the proxy: `ahasend-smtp-proxy demo`
 * and `ahasend-smtp-proxy rehearsal`. The proxy's bundle runs this program in its own process.
 */
const [command] = process.argv.splice(2, 1)

if (command === 'demo') import('../demo/main.ts')
else import('./main.ts')
