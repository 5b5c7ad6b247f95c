// Several streams as one: events come as they arrive; the first failure ends them all.

/** Yields the events of all streams. When it is left early, or a stream fails, `stop` is called and the others are waited for. */
export async function* mergeStreams<Event>(
  streams: AsyncGenerator<Event, void, undefined>[],
  stop: () => void,
): AsyncGenerator<Event, void, undefined> {
  const next = (stream: AsyncGenerator<Event, void, undefined>) => stream.next().then((result) => ({ stream, result }))
  const pending = new Map(streams.map((stream) => [stream, next(stream)]))
  try {
    while (pending.size > 0) {
      const { stream, result } = await Promise.race(pending.values())
      if (result.done) {
        pending.delete(stream)
        continue
      }
      pending.set(stream, next(stream))
      yield result.value
    }
  } finally {
    if (pending.size > 0) stop()
    // What they still yield or throw is nobody's.
    await Promise.allSettled([...pending.values(), ...[...pending.keys()].map((stream) => stream.return())])
  }
}
