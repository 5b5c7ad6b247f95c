// Adapters by name: loaded where they are not, left where they are, and a server that cannot says so.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadServedAdapter } from './adapter.ts'
import { FakeServer } from './fake-server.fixture.ts'

let folder: string
let servers: FakeServer[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-adapter-'))
  await writeFile(join(folder, 'adapter_model.safetensors'), 'weights')
  servers = [await FakeServer.start(), await FakeServer.start()]
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
  await rm(folder, { recursive: true })
})

const endpointsOf = (urls: readonly string[]) => ({
  endpoints: urls.map((url) => ({ url, concurrency: 1 })),
  timeoutSeconds: 5,
})

it('is loaded by every endpoint, under a name that its weights give, however often it is asked for', async () => {
  const urls = servers.map(({ url }) => url)
  const name = await loadServedAdapter(folder, endpointsOf(urls.slice(0, 1)), {})
  expect(name).toMatch(/^meikai-[0-9a-f]{16}$/)
  expect(await loadServedAdapter(folder, endpointsOf(urls), {})).toBe(name)
  expect(servers.map(({ adapters }) => [...adapters])).toEqual([[[name, folder]], [[name, folder]]])
  await writeFile(join(folder, 'adapter_model.safetensors'), 'other weights')
  expect(await loadServedAdapter(folder, endpointsOf(urls), {})).not.toBe(name)
})

it('is refused in one line that says what to start vLLM with', async () => {
  const gone = await FakeServer.start()
  const { url } = gone
  await gone.close()
  const failed = loadServedAdapter(folder, endpointsOf([url]), {})
  await expect(failed).rejects.toThrow(/does not load the adapter.*--enable-lora.*VLLM_ALLOW_RUNTIME_LORA_UPDATING/)
})
