/** Options of tests that need /proc and `setpriv`. */
export const onLinux = { skip: process.platform === 'linux' ? false : 'needs Linux' }
