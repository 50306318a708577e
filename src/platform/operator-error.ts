/**
 * Something happened that only the operator can change: printed as what happened and the next step,
 * never with a stack trace.
 */
export class OperatorError extends Error {
  readonly what: string;
  readonly next: string;
  readonly exitCode: number;

  constructor(detail: {
    /** One sentence with its full stop (several lines when several things are wrong). */
    readonly what: string;
    /** One sentence that says what to do. */
    readonly next: string;
    /** 1 the program cannot go on, 2 it was called wrongly. */
    readonly exitCode?: number;
    readonly cause?: unknown;
  }) {
    super(`${detail.what} ${detail.next}`, { cause: detail.cause });
    this.name = 'OperatorError';
    this.what = detail.what;
    this.next = detail.next;
    this.exitCode = detail.exitCode ?? 1;
  }
}
