// The state of a run after any of its events.
import type { RunEvent } from '../api'
import { Fold } from './fold'

/** Returns the state after any event; a copy of the state is kept at every `step` events, so that a jump folds fewer than that
 *  once it has been there. */
export class Replayer {
  private readonly copies: Fold[] = [new Fold()]
  private readonly events: RunEvent[]
  private readonly step: number
  private head = new Fold()
  private headAt = 0

  constructor(events: RunEvent[], step = 512) {
    this.events = events
    this.step = step
  }

  /** The state after the first `n` events. The result must not be changed. */
  at(n: number): Fold {
    const upTo = Math.min(n, this.events.length)
    const nearest = Math.min(Math.floor(upTo / this.step), this.copies.length - 1)
    if (upTo < this.headAt || nearest * this.step > this.headAt) {
      this.head = this.copies[nearest]!.copy()
      this.headAt = nearest * this.step
    } else if (upTo > this.headAt) {
      this.head = this.head.copy()
    }
    while (this.headAt < upTo) {
      this.head.apply(this.events[this.headAt]!)
      this.headAt += 1
      if (this.headAt % this.step === 0 && this.copies.length === this.headAt / this.step) this.copies.push(this.head.copy())
    }
    return this.head
  }
}
