// A serving environment with a fake vLLM in it.
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadJsonLines, writeJson } from '../src/base/files.ts'

export const fakeFiles = {
  behaviour: 'behaviour.json',
  starts: 'starts.jsonl',
  calls: 'calls.jsonl',
  lock: 'gpus.lock',
}

export interface Behaviour {
  /** From its start until it is healthy. */
  loadMilliseconds: number
  /** What it says while it loads, a line drawn over as bars of progress are. */
  mutters?: string
  /** What it says before it ends, in place of being healthy. */
  says?: string
  isNeverHealthy?: boolean
  /** So many starts are killed while they load. */
  killedStarts?: number
  /** At this call of a start it is killed. */
  diesAtCall?: number | undefined
  /** Whether it answers the examination's prompts; letters to any when left out. */
  takesExam?: boolean
  /** How long a call takes; 5 when left out. */
  latencyMilliseconds?: number
}

export interface FakeStart {
  model: string
  name: string
  port: number
  pid: number
  /** Its further arguments. */
  rest: string[]
}

/** Makes the environment; one that is there is emptied of earlier starts. */
export async function writeFakeServing(folder: string, behaviour: Behaviour): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(join(folder, 'bin'), { recursive: true })
  const program = join(import.meta.dirname, 'fake-vllm.ts')
  const script = `#!/usr/bin/env bash
cd '${join(import.meta.dirname, '..')}' && exec '${process.execPath}' --import tsx '${program}' '${folder}' "$@"
`
  await writeFile(join(folder, 'bin', 'vllm'), script)
  await chmod(join(folder, 'bin', 'vllm'), 0o755)
  await behave(folder, behaviour)
}

/** How the next start behaves. */
export function behave(folder: string, behaviour: Behaviour): Promise<void> {
  return writeJson(join(folder, fakeFiles.behaviour), behaviour)
}

export async function listStarts(folder: string): Promise<FakeStart[]> {
  return loadJsonLines<FakeStart>(join(folder, fakeFiles.starts)).catch(() => [])
}

/** The prompts and seeds that were written to, oldest first: a call whose asker was killed is among them. */
export async function listCalls(folder: string): Promise<string[]> {
  return loadJsonLines<string>(join(folder, fakeFiles.calls)).catch(() => [])
}

/** What it answers: the first option of the question, but in every second explanation. */
export function answerExam(prompt: string, seed: number): string {
  const option = /a：(.*)/.exec(prompt)?.[1] ?? 'なし'
  return prompt.endsWith('解説：') ? `説明${seed}。\n答え：${seed % 2 === 0 ? option : 'なし'}` : option
}
