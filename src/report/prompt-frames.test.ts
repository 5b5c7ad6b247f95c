import { expect, it } from 'vitest'
import { framePrompts } from './prompt-frames.ts'

const CASES: [string, string[], { opening: string; closing: string; middles: string[] }][] = [
  ['no prompt', [], { opening: '', closing: '', middles: [] }],
  ['one prompt', ['a\nb'], { opening: '', closing: '', middles: ['a\nb'] }],
  [
    'worked examples before, a cue after',
    ['例\n問：あれは\n答え：', '例\n問：あの\n答え：'],
    { opening: '例\n', closing: '\n答え：', middles: ['問：あれは', '問：あの'] },
  ],
  ['nothing shared but letters', ['ab', 'ac'], { opening: '', closing: '', middles: ['ab', 'ac'] }],
  ['the same twice', ['a\nb', 'a\nb'], { opening: 'a\n', closing: '', middles: ['b', 'b'] }],
]

it.each(CASES)('%s', (_, prompts, expected) => {
  const { opening, closing, middles } = framePrompts(new Map(prompts.map((prompt, index) => [String(index), prompt])))
  expect({ opening, closing, middles: [...middles.values()] }).toEqual(expected)
  expect([...middles.values()].map((middle) => opening + middle + closing)).toEqual(prompts)
})
