// Where the records of a JSON Lines file lie, 12 bytes each in memory, so that any of them can be read alone.
import type { FileHandle } from 'node:fs/promises'
import { Column } from './column.ts'

export class LineIndex {
  private readonly starts = new Column(Float64Array)
  private readonly lengths = new Column(Uint32Array)
  private readonly decoder = new TextDecoder()

  /** Notes a line by its first byte and its bytes; returns its number, from 0 on. */
  add(start: number, length: number): number {
    this.starts.push(start)
    return this.lengths.push(length)
  }

  /** The record of a line that was noted. Throws a SyntaxError where the file no longer holds it there. */
  async read(file: FileHandle, number: number): Promise<unknown> {
    const bytes = Buffer.allocUnsafe(this.lengths.values[number]!)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, this.starts.values[number]!)
    return JSON.parse(this.decoder.decode(bytes.subarray(0, bytesRead)))
  }
}
