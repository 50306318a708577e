/** Display modes and media parameters: the vocabulary that both protocols and the host share. */

/** A screen mode. The refresh rate is exact: 59.94 Hz is 5994/100. */
export interface DisplayMode {
  readonly width: number;
  readonly height: number;
  readonly refreshNum: number;
  readonly refreshDen: number;
}

export type VideoCodec = 'h264' | 'hevc' | 'av1';
export type ChromaFormat = '420' | '444';
/** H.273 matrix families a device can ask for. */
export type ColourMatrix = 'bt601' | 'bt709' | 'bt2020';

export interface ColourDescription {
  readonly matrix: ColourMatrix;
  readonly fullRange: boolean;
}

export function refreshHz(mode: DisplayMode): number {
  return mode.refreshNum / mode.refreshDen;
}

/** `1280x720@60` or `1280x720@59.94`, as printed and read everywhere. */
export function formatMode(mode: DisplayMode): string {
  return `${mode.width}x${mode.height}@${Number(refreshHz(mode).toFixed(3))}`;
}

/** Reads `WxH@Hz`; null when the text is not a mode. */
export function parseMode(text: string): DisplayMode | null {
  const match = /^(\d{1,5})x(\d{1,5})@(\d{1,4})(?:\.(\d{1,3}))?$/.exec(text);
  if (!match) return null;
  const fraction = (match[4] ?? '').padEnd(3, '0');
  const refreshNum = Number(match[3]) * 1000 + Number(fraction);
  if (refreshNum === 0) return null;
  const whole = refreshNum % 1000 === 0;
  return {
    width: Number(match[1]),
    height: Number(match[2]),
    refreshNum: whole ? refreshNum / 1000 : refreshNum,
    refreshDen: whole ? 1 : 1000,
  };
}
