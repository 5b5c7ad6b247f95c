// An outlook as it is printed: what is done stands in it, and counts no more.
import { afterEach, expect, it, vi } from 'vitest'
import { showOutlook } from './outlook.ts'

const printed: string[] = []
vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(line))
afterEach(() => {
  printed.length = 0
})

const plan = {
  absent: [],
  unknown: [],
  stages: [
    { id: 'pretrain', title: '', place: 'Slurm', seconds: 36_000, gpuHours: 40, arithmetic: 'what it took' },
    { id: 'prefer', title: '', place: 'Slurm', seconds: 3600, gpuHours: 2, arithmetic: 'what it takes' },
  ],
}
const disk = {
  stages: [{ id: 'prefer', bytes: 2 ** 30 }],
  bytes: 2 ** 30,
  freeBytes: 2 ** 40,
}
const states = new Map([['pretrain', 'done' as const]])

it('prints the hours, the cost and the disk of what is left', () => {
  showOutlook('a-run', plan, { json: false, price: 3, states, disk })
  expect(printed.find((line) => line.startsWith('pretrain '))).toMatch(/^pretrain +done +Slurm/)
  expect(printed.find((line) => line.startsWith('prefer '))).toMatch(/^prefer +runs +Slurm .* 2\.0 +6\.00/)
  expect(printed).toContain('prefer: what it takes')
  expect(printed).not.toContain('pretrain: what it took')
  expect(printed.slice(-2)).toEqual([
    'Disk: up to 1.0 GB for weights; 1.0 TB are free.',
    'What is left takes at most 1 h 0 min, 2.0 GPU hours, 6.00 at 3 an hour; rates are assumptions.',
  ])
})

it('prints the same as a line of JSON', () => {
  showOutlook('a-run', plan, { json: true, price: 3, states, disk })
  expect(JSON.parse(printed[0] ?? '')).toMatchObject({ type: 'outlook', seconds: 3600, gpuHours: 2, cost: 6, disk })
  expect(JSON.parse(printed[0] ?? '').stages.map(({ state }: { state: string }) => state)).toEqual(['done', 'new'])
})
