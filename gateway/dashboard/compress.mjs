// Writes FILE.br beside each text file of the build: the gateway serves it to browsers that accept it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants } from 'node:zlib'

const built = 'dist/app'
for (const name of readdirSync(built, { recursive: true })) {
  if (!/\.(js|css|html|svg)$/.test(name)) continue
  const packed = brotliCompressSync(readFileSync(`${built}/${name}`), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  writeFileSync(`${built}/${name}.br`, packed)
}
