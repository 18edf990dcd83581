// Renders WORK/svg/*.svg (the flat emoji that emoji.py wrote) to WORK/png/*.png, 128 pixels wide on white.
//
//   npm install @resvg/resvg-js@2.6.2
//   node emoji.mjs WORK
import fs from 'fs'
import { Resvg } from '@resvg/resvg-js'

const WORK = process.argv[2]
fs.mkdirSync(`${WORK}/png`, { recursive: true })
for (const file of fs.readdirSync(`${WORK}/svg`)) {
  const options = { fitTo: { mode: 'width', value: 128 }, background: '#ffffff' }
  const image = new Resvg(fs.readFileSync(`${WORK}/svg/${file}`, 'utf8'), options).render()
  fs.writeFileSync(`${WORK}/png/${file.replace('.svg', '.png')}`, image.asPng())
}
