// Numbers that are added one by one, 4 or 8 bytes each: JavaScript's own arrays take at least 8, and copies while they grow.

export class Column<A extends Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>> {
  private room: A
  private readonly type: new (
    length: number,
  ) => A
  private count = 0

  constructor(type: new (length: number) => A) {
    this.type = type
    this.room = new type(16)
  }

  /** Returns the number's index. */
  push(number: number): number {
    if (this.count === this.room.length) {
      const larger = new this.type(2 * this.count)
      larger.set(this.room)
      this.room = larger
    }
    this.room[this.count] = number
    return this.count++
  }

  /** All of them: a view, which the next push may leave behind. */
  get values(): A {
    return this.room.subarray(0, this.count) as A
  }
}
