import {
  app,
  BrowserWindow,
  crashReporter,
  dialog,
  ipcMain,
  Menu,
  MessageChannelMain,
  powerSaveBlocker,
  protocol,
  screen,
  session,
  shell,
  utilityProcess,
} from 'electron';
import { startShell } from './app.ts';
import type { ElectronParts, ShellWindow } from './electron.ts';

/** Every ShellWindow is a BrowserWindow here: only `startShell` makes them, from the class below. */
const real = (window: ShellWindow): BrowserWindow => window as BrowserWindow;

const parts: ElectronParts = {
  app,
  BrowserWindow,
  protocol,
  session,
  ipcMain,
  dialog: {
    showOpenDialog: (window, options) => dialog.showOpenDialog(real(window), options),
    showSaveDialog: (window, options) => dialog.showSaveDialog(real(window), options),
    showMessageBox: (window, options) => dialog.showMessageBox(real(window), options),
    showErrorBox: (title, content) => dialog.showErrorBox(title, content),
  },
  Menu,
  MessageChannelMain,
  utilityProcess,
  screen,
  shell,
  powerSaveBlocker,
  crashReporter,
};

void startShell(parts, {
  platform: process.platform,
  argv: process.argv,
  env: process.env,
  workingFolder: process.cwd(),
  resourcesPath: process.resourcesPath,
});
