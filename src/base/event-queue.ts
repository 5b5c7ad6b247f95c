// Events of two sources in one stream: those of a generator, and those that others tell while it is at work.

export class EventQueue<Told> {
  private readonly told: Told[] = []
  private wake = () => {}

  tell(event: Told): void {
    this.told.push(event)
    this.wake()
  }

  /**
   * Yields what a generator yields, and what is told in the meantime at once, whether or not the generator has anything to
   * say just then.
   * @param show makes an event of the generator's kind of what was told.
   */
  async *beside<Event, Result>(
    work: AsyncGenerator<Event, Result>,
    show: (told: Told) => Promise<Event>,
  ): AsyncGenerator<Event, Result> {
    try {
      for (;;) {
        let isThere = false
        const next = work.next().finally(() => {
          isThere = true
          this.wake()
        })
        // It may fail while the reader is busy with what was told; what it throws is thrown below.
        next.catch(() => {})
        do {
          const woken = new Promise<void>((resolve) => {
            this.wake = resolve
          })
          if (!isThere && this.told.length === 0) await woken
          for (const told of this.told.splice(0)) yield await show(told)
        } while (!isThere)
        const { done, value } = await next
        if (done) return value
        yield value
      }
    } finally {
      // Left early, the generator does what it has to do at its end.
      await work.return(undefined as Result)
    }
  }
}
