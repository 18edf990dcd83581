// Open Peeps heads with known attributes, rendered at 64x64 RGB on white.
//
//   npm install @dicebear/core@9.4.3 @dicebear/open-peeps@9.4.3 @resvg/resvg-js@2.6.2
//   node peeps.mjs 5000 FOLDER
//
// Writes FOLDER/{image,noglasses,glasses,line}.rgb (N x 64 x 64 x 3 bytes) and FOLDER/meta.json; then see
// peeps.py. The attributes are drawn independently of each other on purpose: bias comes in by choosing a subset.
import fs from 'fs'
import { createAvatar } from '@dicebear/core'
import * as openPeeps from '@dicebear/open-peeps'
import { Resvg } from '@resvg/resvg-js'

const [N, FOLDER] = [Number(process.argv[2]), process.argv[3]]
const S = 64 // pixels of a side
const K = 4 // rendered K times larger, then averaged
const properties = openPeeps.schema.properties
const all = (key) => properties[key].items.enum || properties[key].default

const VALUES = {
  head: all('head').filter((x) => x !== 'bear'),
  face: all('face').filter((x) => !['monster', 'cyclops', 'angryWithFang'].includes(x)),
  skinColor: properties.skinColor.default,
  clothingColor: properties.clothingColor.default,
  headContrastColor: properties.headContrastColor.default,
  facialHair: all('facialHair'),
  accessories: ['glasses', 'glasses2', 'glasses3', 'glasses4', 'glasses5', 'sunglasses', 'sunglasses2'],
}

// mulberry32: a small random number generator, the same on every machine
function randomNumbers(seed) {
  return () => {
    seed |= 0
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

function person(i) {
  const random = randomNumbers(20261101 + i * 7919)
  const drawn = {}
  for (const key of Object.keys(VALUES)) drawn[key] = VALUES[key][Math.floor(random() * VALUES[key].length)]
  drawn.hasGlasses = random() < 0.4
  drawn.hasFacialHair = random() < 0.25
  return drawn
}

// the picture of these options, averaged over K x K pixels, into row i of the buffer
function draw(options, buffer, i) {
  const svg = createAvatar(openPeeps, options).toString()
  const pixels = new Resvg(svg, { fitTo: { mode: 'width', value: S * K }, background: '#ffffff' }).render().pixels
  for (let y = 0; y < S; y++)
    for (let x = 0; x < S; x++)
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (let a = 0; a < K; a++)
          for (let b = 0; b < K; b++) sum += pixels[((y * K + a) * S * K + x * K + b) * 4 + c]
        buffer[((i * S + y) * S + x) * 3 + c] = Math.round(sum / (K * K))
      }
}

const buffers = {}
for (const name of ['image', 'noglasses', 'glasses', 'line']) buffers[name] = Buffer.alloc(N * S * S * 3)
const meta = []
for (let i = 0; i < N; i++) {
  const drawn = person(i)
  const options = {
    seed: String(i), scale: 125, translateY: 5, maskProbability: 0,
    facialHairProbability: drawn.hasFacialHair ? 100 : 0,
  }
  for (const key of Object.keys(VALUES)) options[key] = [drawn[key]]
  const worn = drawn.hasGlasses ? 100 : 0
  const white = { skinColor: ['ffffff'], clothingColor: ['ffffff'], headContrastColor: ['ffffff'] }
  draw({ ...options, accessoriesProbability: worn }, buffers.image, i)
  draw({ ...options, accessoriesProbability: 0 }, buffers.noglasses, i)
  draw({ ...options, accessoriesProbability: 100 }, buffers.glasses, i)
  draw({ ...options, accessoriesProbability: worn, ...white }, buffers.line, i)
  meta.push(drawn)
}
fs.mkdirSync(FOLDER, { recursive: true })
for (const name of Object.keys(buffers)) fs.writeFileSync(`${FOLDER}/${name}.rgb`, buffers[name])
fs.writeFileSync(`${FOLDER}/meta.json`, JSON.stringify({ N, S, V: VALUES, meta }))
