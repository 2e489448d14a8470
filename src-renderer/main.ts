import '@fontsource-variable/inter/wght.css';
import './style/tokens.css';
import './style/base.css';
import './style/controls.css';
import './style/screens.css';
import './style/tables.css';
import { mount } from 'svelte';
import App from './app/App.svelte';
import { wireUp } from './app/wiring.ts';

const target = document.getElementById('app');
if (!target) throw new Error('The page has no place for the application.');
wireUp();
mount(App, { target });
