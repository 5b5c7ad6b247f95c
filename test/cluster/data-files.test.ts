// The data set folder as `datasets` reads it: all files of a split, in order, mapped into memory and not read into it.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { writeArrowDataset } from '../../src/data/arrow-dataset.ts'
import { cpuSettings } from './settings.ts'

const folder = await mkdtemp(join(tmpdir(), 'meikai-data-files-'))
afterAll(() => rm(folder, { recursive: true }))

const script = `
import json, sys
import pyarrow
from datasets import load_from_disk
data = load_from_disk(sys.argv[1])
train = data["train"]
mapped = pyarrow.total_allocated_bytes() == 0
print("READ " + json.dumps({"files": len(train.cache_files), "mapped": mapped, "empty": data["validation_a"].num_rows, "rows": list(train)}))
`

it('reads many files of many batches as one split', async () => {
  const rows = Array.from({ length: 60 }, (_, i) => {
    return { ids: Array.from({ length: 10 + (i % 7) }, (_, t) => 1000 * i + t), labels: [-i - 1] }
  })
  const columns = ['ids', 'labels']
  const data = join(folder, 'data')
  await writeArrowDataset(
    data,
    [
      { name: 'train', columns, nullColumns: ['images'], rows },
      { name: 'validation_a', columns, rows: [] },
    ],
    { batchNumbers: 50, fileNumbers: 300 },
  )
  const { environment } = cpuSettings()
  const { stdout, stderr } = spawnSync(join(environment, 'bin/python'), ['-c', script, data], {
    encoding: 'utf8',
    env: { ...process.env, HF_HUB_OFFLINE: '1' },
  })
  const line = /^READ (.*)$/m.exec(stdout)?.[1]
  if (line === undefined) throw new Error(stderr.slice(-3000))
  expect(JSON.parse(line)).toEqual({
    files: 3,
    mapped: true,
    empty: 0,
    rows: rows.map((row) => ({ ...row, images: null })),
  })
})
