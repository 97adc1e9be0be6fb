/** Calls `use` with a Buffer for each byte of `text`, each with its own ArrayBuffer, as Node's TLS makes them. */
export function pieceByPiece(text: string, use: (piece: Buffer, index: number) => void): void {
  for (let index = 0; index < text.length; index += 1)
    use(Buffer.from(Uint8Array.of(text.charCodeAt(index)).buffer), index)
}
