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

export interface SkipSummary {
  /** One line per file and reason, with the number of tests. */
  readonly lines: readonly string[];
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
  const counts = new Map<string, number>();
  const unexplained: SkippedTest[] = [];
  for (const entry of skipped) {
    const remark = /\((?:skipped: |(?=needs ))(.+?)\)(?= > |$)/.exec(entry.name)?.[1];
    const told = remark === undefined ? reasons.of(entry.file) : [remark];
    if (told.length === 0) unexplained.push(entry);
    else {
      const line = `${entry.file}: ${told.join('; ')}`;
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  }
  const lines = [...counts].map(([line, count]) => `${String(count).padStart(4)}  ${line}`);
  return { lines: lines.sort((a, b) => compare(a.slice(6), b.slice(6))), unexplained };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function plainText(text: string): string {
  const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name] ?? '');
}
