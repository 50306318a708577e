/**
 * What a test run says about itself: totals of its JUnit report, and for every skipped test the
 * reason. A reason is a line `skipped: …` that the test's file prints, or a remark in the name of
 * the test or its group: `(needs …)` or `(skipped: …)`. Pure.
 */

export interface SkippedTest {
  readonly file: string;
  /** Group and test. */
  readonly name: string;
}

export interface TestReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
}

/** Tests of one file that are skipped for the same reasons. */
export interface SkipGroup {
  readonly file: string;
  readonly reasons: readonly string[];
  readonly count: number;
}

export interface SkipSummary {
  /** By file. */
  readonly groups: readonly SkipGroup[];
  /** Tests that nobody explains. */
  readonly unexplained: readonly SkippedTest[];
}

/** Reads the report; null when it is not one. */
export function readTestReport(xml: string): TestReport | null {
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0];
  if (!head) return null;
  const count = (name: string): number =>
    Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const skipped = [
    ...xml.matchAll(
      /<testcase name="([^"]*)" classname="([^"]*)"[^>]*\bfile="([^"]*)"[^>]*>\s*<skipped\b/g,
    ),
  ].map(([, name = '', group = '', file = '']) => ({
    file: plainText(file),
    name: plainText(`${group} > ${name}`),
  }));
  return { passed: count('tests') - failed - count('skipped'), failed, skipped };
}

/** Collects the reasons that test files print; give it every line of the run, in order. */
export class SkipReasons {
  readonly #byFile = new Map<string, Set<string>>();
  #file = '';

  read(line: string): void {
    const file = /^(\S+\.test\.ts):$/.exec(line)?.[1];
    if (file !== undefined) this.#file = file;
    const reason = /^skipped: (.+)$/.exec(line)?.[1];
    if (reason === undefined) return;
    const known = this.#byFile.get(this.#file);
    if (known) known.add(reason);
    else this.#byFile.set(this.#file, new Set([reason]));
  }

  of(file: string): readonly string[] {
    return [...(this.#byFile.get(file) ?? [])];
  }
}

export function summariseSkips(skipped: readonly SkippedTest[], reasons: SkipReasons): SkipSummary {
  const groups = new Map<string, SkipGroup>();
  const unexplained: SkippedTest[] = [];
  for (const entry of skipped) {
    const remark = /\((?:skipped: |(?=needs ))(.+?)\)(?= > |$)/.exec(entry.name)?.[1];
    const told = remark === undefined ? reasons.of(entry.file) : [remark];
    if (told.length === 0) unexplained.push(entry);
    else {
      const { file } = entry;
      const key = `${file}: ${told.join('; ')}`;
      groups.set(key, { file, reasons: told, count: (groups.get(key)?.count ?? 0) + 1 });
    }
  }
  const sorted = [...groups.keys()].sort().flatMap((key) => groups.get(key) ?? []);
  return { groups: sorted, unexplained };
}

/** `  12  tests/desktop/sway.test.ts: sway is not installed` */
export function skipLine({ file, reasons, count }: SkipGroup): string {
  return `${String(count).padStart(4)}  ${file}: ${reasons.join('; ')}`;
}

/**
 * Groups that a machine which should run everything may not skip: one of their reasons is not permitted.
 * @param allowed text of a file with one part of a permitted reason per line; `#` begins a remark
 */
export function forbiddenSkips(groups: readonly SkipGroup[], allowed: string): SkipGroup[] {
  const parts = allowed
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  const isAllowed = (reason: string): boolean => parts.some((part) => reason.includes(part));
  return groups.filter(({ reasons }) => !reasons.every(isAllowed));
}

function plainText(text: string): string {
  const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name] ?? '');
}
