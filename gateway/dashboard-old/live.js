// The connection: live over the WebSocket, polling while that is down; the caller is notified of the state.

const SILENCE = 12_000; // more than two heartbeats
const POLL = 5_000;

/** Calls `onFrame(frame)` for every frame and `onState(state, detail)` whenever the state of the connection changes. */
export function connect({ onFrame, onState, poll }) {
  let socket = null, silence = 0, polling = 0, tries = 0, ended = false;

  function open() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    socket = new WebSocket(`${scheme}://${location.host}/ws/pipelines`);
    heard();
    socket.onmessage = (message) => {
      heard();
      const frame = JSON.parse(message.data);
      if (frame.type === 'snapshot') { tries = 0; stopPolling(); onState('live', 0); }
      if (frame.type === 'heartbeat') onState('live', frame.lagMs);
      onFrame(frame);
    };
    socket.onclose = lost;
  }

  // A socket can be dead without being closed: no heartbeat counts as loss.
  function heard() {
    clearTimeout(silence);
    silence = setTimeout(() => socket?.close(), SILENCE);
  }

  function lost() {
    clearTimeout(silence);
    if (ended) return;
    if (!polling) { onState('reconnecting'); pollNow(); }
    setTimeout(open, Math.min(30_000, 500 * 2 ** Math.min(tries++, 6)) * (0.5 + Math.random() / 2));
  }

  async function pollNow() {
    clearTimeout(polling);
    polling = setTimeout(pollNow, POLL);
    try {
      onFrame({ type: 'snapshot', ...(await poll()) });
      if (polling) onState('polling');
    } catch (error) {
      if (error.status === 401) return end();
      if (polling) onState('offline');
    }
  }

  function stopPolling() { clearTimeout(polling); polling = 0; }

  function end() {
    ended = true;
    stopPolling();
    clearTimeout(silence);
    socket?.close();
    onState('offline');
  }

  open();
  return { end };
}
