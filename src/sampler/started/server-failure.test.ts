// What keeps a server from coming up, as real processes with a fake vLLM; and what its log says meanwhile.
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, test } from 'vitest'
import { behave, writeFakeServing } from '../../../test/fake-vllm.fixture.ts'
import { lastLine } from './server-failure.ts'
import { makePlace, model, quick } from './started.fixture.ts'

const place = await makePlace()
const { environment, keep, pidsOf, expectGone } = place

beforeEach(() => writeFakeServing(environment, quick))
afterAll(() => place.remove())

test.each([
  ['one\ntwo\n\n', 'two'],
  ['Loading shards:  50%\rLoading shards: 100%', 'Loading shards: 100%'],
  ['\u001b[32mINFO\u001b[0m it loads\n \n', 'INFO it loads'],
  [`${'解説'.repeat(3000)}\nend\n`, 'end'],
  ['', undefined],
])('the last line of a log: %#', async (text, line) => {
  const log = join(environment, 'log.txt')
  await writeFile(log, text)
  expect(await lastLine(log)).toBe(line)
})

test('a log that is not there has no last line', async () => {
  expect(await lastLine(join(environment, 'nowhere'))).toBeUndefined()
})

describe('what keeps a server from coming up is said in one line, with its log, and nothing stays', () => {
  it.each<[string, string, RegExp]>([
    ['memory', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB', /too little memory.*gpus/],
    [
      'memory that others hold',
      'ValueError: Free memory on device cuda:0 (3/80 GiB) on startup is less than desired GPU memory utilization',
      /something else holds the GPU's memory.*nvidia-smi/,
    ],
    [
      'no GPU',
      'RuntimeError: Failed to infer device type, please set the environment variable',
      /no GPU.*sampler\.start\.command/,
    ],
    ['the model', 'OSError: /models/one is not a local folder and is not a valid model identifier', /not found there/],
    ['arguments', 'vllm: error: unrecognized arguments: --flash', /--flash.*sampler\.start\.arguments/],
    ['the port', 'OSError: [Errno 98] Address already in use', /port was taken/],
    [
      'anything else',
      'Traceback\nValueError: a head of 7 does not go round',
      /ValueError: a head of 7 does not go round/,
    ],
  ])('%s', async (_, says, cause) => {
    await behave(environment, { ...quick, says })
    const used = keep().use(model)
    await expect(used).rejects.toThrow(cause)
    await expect(used).rejects.toThrow(/^the server of one failed: .*Log: .*a-run\/server\/start-\d+\/log\.txt$/)
    await expectGone()
  })

  it('a port that another program has', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    await expect(keep({ port }).use(model)).rejects.toThrow(new RegExp(`port ${port} is in use.*sampler.start.port`))
    other.close()
    expect(await pidsOf()).toEqual([])
  })

  it('no environment', async () => {
    const used = keep({ environment: '/nowhere' }).use(model)
    await expect(used).rejects.toThrow(
      /cannot be started \(\/nowhere\/bin\/vllm: No such file.*cluster install serving/,
    )
  })

  it('too long a wait', async () => {
    await behave(environment, { ...quick, isNeverHealthy: true })
    await expect(keep({ startSeconds: 1 }).use(model)).rejects.toThrow(
      /not answer within 1 seconds.*startSeconds.*Log:/,
    )
    await expectGone()
  })
})
