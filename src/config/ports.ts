/** The GameStream port family: every port is a fixed distance from one base. Pure. */

export interface PortFamily {
  readonly http: number;
  readonly https: number;
  readonly rtsp: number;
  readonly video: number;
  readonly control: number;
  readonly audio: number;
}

/** Ports that belong to `portBase` (GameStream: plain HTTP is the base, 47989 by default). */
export function portFamily(portBase: number): PortFamily {
  return {
    http: portBase,
    https: portBase - 5,
    rtsp: portBase + 21,
    video: portBase + 9,
    control: portBase + 10,
    audio: portBase + 11,
  };
}
