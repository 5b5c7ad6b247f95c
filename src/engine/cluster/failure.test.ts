import { expect, it } from 'vitest'
import { explainFailure } from './failure.ts'

it.each([
  ['torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB', 1, /4-bit base/, false],
  ['OSError: [Errno 28] No space left on device', 1, /disk is full/, false],
  ['RuntimeError: [enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0', 1, /disk is full/, false],
  ['slurmstepd: error: Detected 1 oom_kill event in StepId=3.0', 1, /machine's memory/, false],
  ["ModuleNotFoundError: No module named 'bitsandbytes'", 1, /bitsandbytes/, false],
  ['slurmstepd: error: *** JOB 3 ON host CANCELLED AT 2026 DUE TO TIME LIMIT ***', undefined, /time limit/, true],
  ['  exitcode  : -9 (pid: 12)', 1, /killed from outside/, true],
  ['RuntimeError: The server socket has failed to bind. EADDRINUSE', 1, /port/, true],
  ['[rank0]: ValueError: Please specify dataset for training.', 1, /specify dataset/, false],
  ['[rank1]: RuntimeError: [gloo/transport/tcp/pair.cc:547] Connection closed by peer', 1, /lost each other/, true],
  [
    '[rank0]: KeyError: 7\n[rank1]: RuntimeError: [gloo/pair.cc:547] Connection closed by peer',
    1,
    /^KeyError: 7$/,
    false,
  ],
  ["[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory", 1, /machine's memory/, false],
  ['SafetensorError: I/O error: No space left on device (os error 28)', 1, /disk is full/, false],
  ['', undefined, /was killed/, true],
  ['', 143, /signal 15/, true],
  ['', 3, /status 3/, false],
])('reads the cause in %j', (line, status, cause, retry) => {
  const failure = explainFailure(['before', line, 'after'], status)
  expect(failure.cause).toMatch(cause)
  expect(failure.retry).toBe(retry)
})
