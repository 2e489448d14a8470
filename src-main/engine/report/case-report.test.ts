import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { renderCaseReport } from './case-report.ts';
import { testReportInput } from './testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'hyaline-report-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hasPoppler(): boolean {
  try {
    execFileSync('pdftotext', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The words of each page, as a reader's program finds them. */
function pageTexts(pdf: Uint8Array): readonly string[] {
  const path = join(folder, 'case.pdf');
  writeFileSync(path, pdf);
  const text = execFileSync('pdftotext', ['-layout', path, '-'], { encoding: 'utf8' });
  return text.split('\f').slice(0, -1);
}

const longRemarks = Array.from({ length: 120 }, (_, i) => `Remark ${i + 1}.`).join('\n');

describe('renderCaseReport', () => {
  it('gives the same bytes for the same input, and a PDF at that', async () => {
    const [one, two] = [
      await renderCaseReport(await testReportInput()),
      await renderCaseReport(await testReportInput()),
    ];
    expect(Buffer.from(one.subarray(0, 8)).toString()).toBe('%PDF-1.7');
    expect(Buffer.from(one).equals(Buffer.from(two))).toBe(true);
    const later = await renderCaseReport(await testReportInput({ createdAtMs: 1_800_000_000_000 }));
    expect(Buffer.from(one).equals(Buffer.from(later))).toBe(false);
  });

  it('never holds the file name unless asked, not even in its metadata', async () => {
    const bytes = Buffer.from(await renderCaseReport(await testReportInput({ heading: 'Case 7' }))).toString('latin1');
    expect(bytes).not.toContain('JANE');
    expect(bytes).toContain('Slide analysis report');
  });

  it('refuses a picture it cannot read with a sentence', async () => {
    const input = await testReportInput({ thumbnail: Uint8Array.of(1, 2, 3) });
    await expect(renderCaseReport(input)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });

  it('prints without maps and tiles', async () => {
    const pdf = await renderCaseReport(await testReportInput({ maps: [], galleries: [] }));
    expect(pdf.length).toBeGreaterThan(5000);
  });
});

describe.skipIf(!hasPoppler())('what the report says (needs pdftotext)', () => {
  it('prints the notice and the page number on every page', async () => {
    const pages = pageTexts(await renderCaseReport(await testReportInput({ remarks: longRemarks })));
    expect(pages.length).toBeGreaterThan(3);
    pages.forEach((page, i) => {
      expect(page).toContain('For research use only. Not intended for clinical, diagnostic or therapeutic purposes.');
      expect(page).toContain(`Page ${i + 1} of ${pages.length}`);
    });
    expect(pages.join()).toContain('Remark 120.');
  });

  it('names everything that made it', async () => {
    const text = pageTexts(await renderCaseReport(await testReportInput())).join('\n');
    for (const expected of [
      '5'.repeat(64),
      '6'.repeat(64),
      '7'.repeat(64),
      'random weights, not trained',
      'layer4 (512 features a tile)',
      '0.4987 µm per pixel (entered by the user)',
      '23 tiles of 112 µm at 0.5 µm per pixel',
      'CPU, 2 cores',
      '2 threads, seed 1',
      'onnxruntime 1.30.0',
      'Hyaline 0.1.0',
      'Cosine similarity to the chosen tile',
      'Cluster 3',
      'it was never trained',
    ]) {
      expect(text).toContain(expected);
    }
    expect(text).not.toContain('JANE');
    expect(text).not.toMatch(/NaN|undefined|null/);
  });

  it('prints the file name when asked, and what the user wrote as theirs', async () => {
    const input = await testReportInput({
      includeSlideName: true,
      heading: 'Κύτταρο',
      remarks: 'Look at <b>A2</b> & B1',
    });
    const text = pageTexts(await renderCaseReport(input)).join('\n');
    expect(text).toContain('JANE-DOE-1950.svs');
    expect(text).toContain('Κύτταρο');
    expect(text).toContain('Look at <b>A2</b> & B1');
    expect(text).toContain('Remarks of the user');
  });
});
