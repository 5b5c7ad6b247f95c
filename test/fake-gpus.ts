// GPUs that cannot be shared: a lock file with the processes that hold them.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

/** Takes the GPUs, or throws what PyTorch says where another process has their memory. */
export function lockGpus(file: string, pids: readonly number[]): void {
  const holders = readHolders(file).filter(isAlive)
  if (holders.length > 0) throw new Error(`torch.OutOfMemoryError: CUDA out of memory (held by ${holders.join(', ')})`)
  writeFileSync(file, JSON.stringify(pids))
}

export function freeGpus(file: string): void {
  rmSync(file)
}

/** The living processes that hold them. */
export function holdersOf(file: string): number[] {
  return readHolders(file).filter(isAlive)
}

function readHolders(file: string): number[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as number[]
  } catch {
    return []
  }
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') === false
  } catch {
    return false
  }
}
