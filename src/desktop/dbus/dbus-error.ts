/** What a call over the bus can end with. */

/** An error reply of a service, or our own verdict (`local.*`). */
export class DbusError extends Error {
  /** Error name, e.g. `org.freedesktop.DBus.Error.ServiceUnknown`, or `local.timeout`. */
  readonly errorName: string;
  constructor(errorName: string, text: string) {
    super(text || errorName);
    this.name = 'DbusError';
    this.errorName = errorName;
  }
}
