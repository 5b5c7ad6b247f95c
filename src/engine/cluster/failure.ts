// Why a job failed, in one line, from the last lines of its log.
import { statfs } from 'node:fs/promises'

export interface Failure {
  /** What happened and what to do. */
  cause: string
  /** Whether the same job may come through when it is started again. */
  retry: boolean
}

/** A cause that is known by its words. DETAIL stands for the pattern's group of that name. */
export interface Known {
  pattern: RegExp
  cause: string
  retry: boolean
}

const fullDisk = {
  cause: 'the disk is full. Free some space (meikai clean); the last whole checkpoint is kept.',
  retry: false,
}

/** In the order in which they are looked for: what happened first is often followed by the others. */
const ofTraining: readonly Known[] = [
  {
    pattern: /no space left on device|disk quota exceeded|inline_container.*(write|unexpected pos)/i,
    ...fullDisk,
  },
  {
    pattern: /CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|hipErrorOutOfMemory/i,
    cause:
      'a GPU ran out of memory. Use a 4-bit base, share the model out (engine.sharding: fsdp), lower sequenceTokens or pair.maxTokens, or take larger GPUs.',
    retry: false,
  },
  {
    pattern: /oom[-_ ]?kill|out of memory|cannot allocate memory|DefaultCPUAllocator: can't allocate/i,
    cause: "the machine's memory ran out. Start fewer processes, or ask for more memory a node.",
    retry: false,
  },
  {
    pattern: /ModuleNotFoundError: No module named '(?<detail>[^']+)'/,
    cause: 'the training environment lacks a package (DETAIL). Install it again: meikai cluster install.',
    retry: false,
  },
  {
    pattern: /CUDA (driver version is insufficient|error: no kernel image)|NVIDIA driver/i,
    cause: "the GPU's driver does not fit the training environment. See: meikai doctor.",
    retry: false,
  },
  // Another process's error is why the others lost each other.
  {
    pattern:
      /^(?:\[rank\d+\]: )?(?<detail>(?:ValueError|KeyError|TypeError|AssertionError|OSError|RuntimeError|ImportError): (?!.*(?:NCCL|gloo|ProcessGroup|EADDRINUSE|[Cc]onnection|Broken pipe)).+)$/m,
    cause: 'DETAIL',
    retry: false,
  },
  { pattern: /address already in use|EADDRINUSE/i, cause: 'the port of the processes was taken.', retry: true },
  {
    pattern: /NCCL|ProcessGroup|Connection (reset|closed|refused)|Broken pipe/i,
    cause: 'the processes lost each other.',
    retry: true,
  },
  { pattern: /CANCELLED .* DUE TO TIME LIMIT|TIMEOUT/, cause: 'the time limit came.', retry: true },
  {
    pattern: /exitcode\s*:\s*-(?<detail>9|15)\b|Signal (?<name>\d+) \(SIG/i,
    cause: 'a process was killed from outside.',
    retry: true,
  },
]

/** Less than this is no room for a checkpoint, nor for the log to say so. */
const leastFreeBytes = 2 ** 20

/** What the disk of a failed job says where its log cannot: that it is full. */
export async function explainByDisk(folder: string): Promise<Failure | undefined> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize < leastFreeBytes ? fullDisk : undefined
}

/**
 * @param status the job's exit status; undefined where it left none: it was killed, or its machine went down.
 * @param known causes, in the order in which they are looked for.
 */
export function explainFailure(
  tail: readonly string[],
  status: number | undefined,
  known: readonly Known[] = ofTraining,
): Failure {
  const text = tail.join('\n')
  for (const { pattern, cause, retry } of known) {
    const match = pattern.exec(text)
    if (match !== null) return { cause: cause.replace('DETAIL', match.groups?.detail ?? ''), retry }
  }
  if (status === undefined) return { cause: 'the job was killed, or its machine went down.', retry: true }
  if (status > 128) return { cause: `the job was ended by signal ${status - 128}.`, retry: true }
  return { cause: `it ended with status ${status}.`, retry: false }
}
