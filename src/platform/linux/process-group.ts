/**
 * Process groups as /proc shows them (proc(5)). A signal to a group also reaches processes that are
 * dead and only wait to be reaped, so signals alone cannot tell whether anything still runs.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process of this group still runs. */
export function isGroupRunning(groupId: number): boolean {
  try {
    return readdirSync('/proc').some((name) => /^\d+$/.test(name) && isMember(name, groupId));
  } catch {
    return false;
  }
}

function isMember(pid: string, groupId: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // pid (name) state ppid pgrp …; the name may hold spaces and parentheses.
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(group) === groupId && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}
