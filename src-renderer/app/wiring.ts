import type { EngineEvent } from '../../src-shared/api/events.ts';
import type { Job } from '../../src-shared/model/job.ts';
import { shell } from '../client/shell.ts';
import { electronTransport, webTransport } from '../client/transport.ts';
import { backbones } from '../state/backbones.svelte.ts';
import { comparisons } from '../state/compare.svelte.ts';
import { isActive, jobs } from '../state/jobs.svelte.ts';
import { displayName, library } from '../state/library.svelte.ts';
import { navigation } from '../state/navigation.svelte.ts';
import { parsePlace } from '../state/place.ts';
import { predicting } from '../state/predicting.svelte.ts';
import { session } from '../state/session.svelte.ts';
import { settings } from '../state/settings.svelte.ts';
import { stage } from '../state/stage.svelte.ts';
import { studies } from '../state/studies.svelte.ts';
import { shown, toasts } from '../state/toasts.svelte.ts';
import { workspace } from '../state/workspace.svelte.ts';
import { openDemo, openGrant } from './intake.ts';
import { takeMenuCommand } from './menu.ts';

/** Joins the engine, its events and the shell to the state that the views show. Called once. */
export function wireUp(): void {
  settings.restoreTheme();
  session.onReady(() => void loadEverything());
  session.onEvent(takeEvent);
  jobs.onFinished(announce);
  session.start(shell ? electronTransport(shell) : webTransport);
  if (shell) wireShell();
  // An address typed or pasted goes there, whatever dialog is open.
  addEventListener('hashchange', () => {
    if (session.about === null) return;
    navigation.closeDialog();
    void restorePlace();
  });
  document.addEventListener('fullscreenchange', () => {
    stage.fullScreen = document.fullscreenElement !== null;
  });
  // A file dropped beside a target would otherwise replace the page.
  for (const type of ['dragover', 'drop']) addEventListener(type, (event) => event.preventDefault());
}

let placeRestored = false;

async function loadEverything(): Promise<void> {
  await Promise.all([
    shown(() => settings.load()),
    library.load(),
    backbones.load(),
    studies.load(),
    comparisons.load(),
    shown(() => jobs.load()),
    shown(() => workspace.refreshRuns()),
  ]);
  stage.retryMissingTiles();
  if (placeRestored) return;
  placeRestored = true;
  await restorePlace();
}

async function restorePlace(): Promise<void> {
  const place = parsePlace(location.hash);
  if (place.demo) await openDemo();
  else if (place.slideId) {
    navigation.go('viewer', place.slideId);
    await workspace.openId(place.slideId);
  } else if (place.destination === 'study') navigation.goToStudy(place.study);
  else if (place.destination === 'compare') navigation.goToComparison(place.comparison);
  else navigation.go(place.destination);
}

function takeEvent(event: EngineEvent): void {
  if (event.type === 'job') jobs.take(event.job);
  else if (event.type === 'jobs-removed') jobs.drop(event.jobIds);
  else if (event.type === 'queue') jobs.paused = event.queue.paused;
  else if (event.type === 'library-changed') void library.load();
  else if (event.type === 'backbones-changed') void backbones.load();
  else if (event.type === 'studies-changed') void studies.load();
  else if (event.type === 'study-progress') studyMoved(event.studyId);
  else if (event.type === 'comparisons-changed') void comparisons.load();
  else if (event.type === 'runs-changed' && event.slideId === workspace.slide?.id)
    void shown(() => workspace.refreshRuns());
}

/** The entry of a download says what went wrong, where the user looks at it. */
function toldByCatalogue({ kind }: Job): boolean {
  return kind === 'download' && navigation.destination === 'backbones' && backbones.catalogueShown;
}

function announce(job: Job): void {
  // One bad slide of an archive is no reason to interrupt: it is listed there with its reason.
  if (job.state === 'failed' && job.error && job.kind !== 'extract' && !toldByCatalogue(job)) toasts.payload(job.error);
  if (job.kind === 'extract') announceArchive();
  if (job.kind === 'demo-slide') void demoSlideEnded(job);
  if (job.kind === 'analyse' && job.state === 'done') void analysisEnded(job);
  if (job.kind === 'study' && job.state === 'done') void studyEnded(job);
  if (job.kind === 'download' && job.state === 'done')
    toasts.ok(`${job.title.replace(/^Download /, '')} is ready to use.`);
  if (job.kind === 'compare' && job.state === 'done') void comparisonEnded(job);
}

/** Says that the archive is through, once, when nothing of it is left to do. */
function announceArchive(): void {
  if (jobs.archive.some(isActive) || navigation.destination === 'archive') return;
  const leftOut = jobs.archive.filter(({ state }) => state === 'failed').length;
  const sentence =
    leftOut === 0 ? 'The archive is done.' : `The archive is done; ${leftOut} of its slides were left out.`;
  toasts.ok(sentence, { label: 'Show', run: () => navigation.go('archive') });
}

async function demoSlideEnded(job: Job): Promise<void> {
  if (library.demoJob !== job.id) return;
  library.demoJob = null;
  if (job.state === 'done') await openDemo();
}

/** Curves are fetched for the study that is looked at, no other. */
function studyMoved(studyId: string): void {
  const { study } = navigation;
  if (navigation.destination === 'study' && study !== null && study !== 'new' && study === studyId)
    void studies.follow(study);
}

async function studyEnded(job: Job): Promise<void> {
  await studies.load();
  const study = studies.list.find(({ jobId }) => jobId === job.id);
  if (!study || (navigation.destination === 'study' && navigation.study === study.id)) return;
  toasts.ok(`${study.plan.name} is trained.`, { label: 'Show', run: () => navigation.goToStudy(study.id) });
}

async function comparisonEnded(job: Job): Promise<void> {
  await comparisons.load();
  const entry = comparisons.list.find(({ jobId }) => jobId === job.id);
  if (!entry || (navigation.destination === 'compare' && navigation.comparison === entry.id)) return;
  toasts.ok(`${entry.name} is compared.`, { label: 'Show', run: () => navigation.goToComparison(entry.id) });
}

async function analysisEnded(job: Job): Promise<void> {
  await shown(() => session.refreshAbout());
  if (!job.runId || job.slideId === null) return;
  const { runId, slideId } = job;
  if (workspace.slide?.id === slideId) {
    const { slide: open } = workspace;
    await shown(async () => {
      if (await predicting.show(runId, open)) return;
      await workspace.refreshRuns();
      await workspace.showRun(runId);
    });
    return;
  }
  const slide = library.slides.find(({ id }) => id === slideId);
  if (!slide) return;
  toasts.ok(`The analysis of ${displayName(slide)} is finished.`, {
    label: 'Show',
    run: () =>
      void shown(async () => {
        if (!(await predicting.show(runId, slide))) await workspace.openId(slideId);
      }),
  });
}

function wireShell(): void {
  if (!shell) return;
  shell.onOpenFiles((files) => {
    for (const { grant, kind } of files) {
      if (kind !== 'project') void shown(() => openGrant(grant, kind));
    }
  });
  shell.onOpenFailed((error) => toasts.payload(error));
  shell.onEngineStatus((status) => {
    if (status.state === 'ready') session.retryNow();
    if (status.state === 'failed' && status.error) toasts.payload(status.error);
  });
  shell.onMenuCommand(takeMenuCommand);
}
