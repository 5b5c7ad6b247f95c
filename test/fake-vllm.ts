// An executable in vLLM's place: it is healthy after a while, answers as the fake server does, leaves a worker behind that
// no polite signal ends, and holds the GPUs (a lock file) as long as any of it lives. behaviour.json beside it says how it fails.
import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { FakeServer } from '../src/sampler/server/fake-server.fixture.ts'
import { lockGpus } from './fake-gpus.ts'
import { answerExam, type Behaviour, fakeFiles } from './fake-vllm.fixture.ts'

const [, , folder = '', command, model = '', ...rest] = process.argv
const option = (name: string) => rest[rest.indexOf(name) + 1]
const behaviour = JSON.parse(readFileSync(join(folder, fakeFiles.behaviour), 'utf8')) as Behaviour
const port = Number(option('--port'))
appendFileSync(
  join(folder, fakeFiles.starts),
  `${JSON.stringify({ command, model, name: option('--served-model-name'), port, pid: process.pid, rest })}\n`,
)

const worker = spawn('bash', ['-c', 'trap "" TERM; while true; do sleep 1; done'], { stdio: 'ignore' })
lockGpus(join(folder, fakeFiles.lock), [process.pid, worker.pid ?? 0])
if (behaviour.mutters !== undefined) process.stderr.write(`begins\r${behaviour.mutters}`)
await setTimeout(behaviour.loadMilliseconds)
const starts = readFileSync(join(folder, fakeFiles.starts), 'utf8').split('\n').length - 1
if (starts <= (behaviour.killedStarts ?? 0)) process.kill(process.pid, 'SIGKILL')
if (behaviour.says !== undefined) {
  console.error(behaviour.says)
  process.exit(1)
}
if (behaviour.isNeverHealthy) await setTimeout(600_000)
await FakeServer.start({
  port,
  keepBodies: false,
  latencyMilliseconds: behaviour.latencyMilliseconds ?? 5,
  ...(behaviour.takesExam && {
    write(prompt, seed) {
      appendFileSync(join(folder, fakeFiles.calls), `${JSON.stringify(`${seed} ${prompt}`)}\n`)
      return answerExam(prompt, seed)
    },
  }),
  fault(call) {
    if (call === behaviour.diesAtCall) process.kill(process.pid, 'SIGKILL')
    return undefined
  },
})
