/**
 * The environment of an app's commands: a clean base from the user's session plus facts of the
 * stream. The environment of this process is read, never changed.
 */
import { formatMode, refreshHz } from '../session/mode.ts';
import type { SessionPlan } from '../session/plan.ts';
import type { AppEntry } from './app-catalogue.ts';

/** What a program of the user's session may need; everything else stays out. */
const BASE_NAMES = [
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'PATH',
  'LANG',
  'LC_ALL',
  'TZ',
  'DISPLAY',
  'XAUTHORITY',
  'WAYLAND_DISPLAY',
  'SWAYSOCK',
  'DBUS_SESSION_BUS_ADDRESS',
  'XDG_RUNTIME_DIR',
  'XDG_SESSION_TYPE',
  'XDG_CURRENT_DESKTOP',
  'XDG_DATA_DIRS',
  'XDG_CONFIG_DIRS',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'XDG_CACHE_HOME',
  'XDG_STATE_HOME',
] as const;

const VALUE_BYTES_MAX = 1024;

export type CommandEnvironment = Readonly<Record<string, string>>;

/** Session facts as `PF_*`, with the `SUNSHINE_*` names that existing scripts read. */
export function appEnvironment(
  app: AppEntry,
  plan: SessionPlan,
  outputName: string,
  inherited: Readonly<Record<string, string | undefined>>,
  desktop: CommandEnvironment,
): CommandEnvironment {
  const base: Record<string, string> = {};
  for (const name of BASE_NAMES) {
    const value = inherited[name];
    if (value !== undefined) base[name] = value;
  }
  const { mode } = plan.display;
  const fps = String(Number(refreshHz(mode).toFixed(3)));
  const channels = { 2: '2.0', 6: '5.1', 8: '7.1' }[plan.audio.channels];
  const facts: Record<string, string> = {
    PF_APP_ID: String(app.id),
    PF_APP_TITLE: app.title,
    PF_CLIENT_NAME: plan.device.name,
    PF_CLIENT_FINGERPRINT: plan.device.fingerprint,
    PF_CLIENT_PLANE: plan.plane,
    PF_SESSION_ID: plan.sessionId,
    PF_DISPLAY_NAME: outputName,
    PF_STREAM_MODE: formatMode(mode),
    PF_STREAM_WIDTH: String(mode.width),
    PF_STREAM_HEIGHT: String(mode.height),
    PF_STREAM_REFRESH: String(Math.round(refreshHz(mode))),
    PF_STREAM_FPS: fps,
    PF_STREAM_HDR: plan.video.hdr ? '1' : '0',
    PF_STREAM_CODEC: plan.video.codec,
    PF_STREAM_BITRATE_KBPS: String(plan.video.bitrateKbps),
    SUNSHINE_APP_ID: String(app.id),
    SUNSHINE_APP_NAME: app.title,
    SUNSHINE_CLIENT_WIDTH: String(mode.width),
    SUNSHINE_CLIENT_HEIGHT: String(mode.height),
    SUNSHINE_CLIENT_FPS: String(Math.round(refreshHz(mode))),
    SUNSHINE_CLIENT_HDR: plan.video.hdr ? 'true' : 'false',
    SUNSHINE_CLIENT_HOST_AUDIO: plan.audio.playOnHost ? 'true' : 'false',
    SUNSHINE_CLIENT_AUDIO_CONFIGURATION: channels,
  };
  const merged: Record<string, string> = { ...base, ...desktop };
  for (const [name, value] of Object.entries(facts)) merged[name] = singleLine(value);
  return merged;
}

function singleLine(value: string): string {
  const cleaned = value.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
  return Buffer.from(cleaned).subarray(0, VALUE_BYTES_MAX).toString('utf8');
}
