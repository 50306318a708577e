/** An output that a session may use, and how to give it back. */

export interface TakenOutput {
  /** Compositor's name of the output. */
  readonly name: string;
  /** Puts the desktop back; a compositor that is gone counts as put back. */
  giveBack(): Promise<void>;
}
