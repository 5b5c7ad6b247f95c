// Plays a made-up run to a display, for test/cli-display.test.ts: node --import tsx test/cli-display.fixture.ts [--json]
// With --stubborn it takes its time over the checkpoint when interrupted.
import { setTimeout as wait } from 'node:timers/promises'
import type { RunEvent } from '../src/base/progress.ts'
import { followRun } from '../src/cli/follow-run.ts'

const steps = 40

async function* play(signal: AbortSignal): AsyncGenerator<RunEvent> {
  const stages = [
    { id: 'corpus', state: 'done' as const },
    { id: 'pretrain', state: 'changed' as const, reasons: ['pretrain.learningRate: 0.001 -> 0.002'] },
    { id: 'examine', state: 'changed' as const, reasons: ['pretrain runs first'] },
  ]
  yield { type: 'run-start', name: 'demo', folder: '/runs/demo', stages }
  yield { type: 'stage-end', stage: 'corpus', seconds: 3, kept: true, summary: '120 documents' }
  yield { type: 'stage-start', stage: 'pretrain', index: 1, count: 3 }
  const training = (event: Extract<RunEvent, { type: 'training' }>['event']): RunEvent => ({
    type: 'training',
    stage: 'pretrain',
    event,
  })
  yield training({ type: 'training-start', steps, firstStep: 1, trainableParameters: 10, threads: 1 })
  for (let step = 1; step <= steps; step++) {
    await wait(50)
    if (signal.aborted) {
      if (process.argv.includes('--stubborn')) await wait(60_000)
      yield training({ type: 'checkpoint-saved', step, folder: '/runs/demo/pretrain/step-1' })
      throw signal.reason
    }
    const metrics = { loss: 3 - step / steps, learningRate: 0.001, gradientNorm: 1, tokens: 500, seconds: 0.05 }
    yield training({ type: 'step-end', step, ...metrics })
  }
  yield training({ type: 'training-end', step: steps, keptStep: steps, folder: '/runs/demo/pretrain/result' })
  yield { type: 'stage-end', stage: 'pretrain', seconds: 2, kept: false, summary: 'loss 2.000' }
  yield { type: 'stage-start', stage: 'examine', index: 2, count: 3 }
  yield {
    type: 'stage-progress',
    stage: 'examine',
    done: 1,
    total: 2,
    unit: 'answers',
    sample: '問：痛風の原因はどれか。',
  }
  await wait(300)
  yield { type: 'warning', stage: 'examine', message: 'one answer ran on' }
  yield { type: 'stage-end', stage: 'examine', seconds: 1, kept: false, summary: '2 answers' }
  yield { type: 'run-end', name: 'demo', seconds: 6, report: '/runs/demo/report/report.html' }
}

process.exitCode = await followRun(play, { json: process.argv.includes('--json') })
