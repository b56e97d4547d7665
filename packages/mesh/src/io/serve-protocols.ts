import type { FrameStream } from '@copain/core';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import {
  type Admission,
  admitProtocol,
  type ProtocolName,
  protocolClass,
  protocolLimits,
  protocols,
  protocolVersion,
} from '../gate.ts';
import { maxStreamsPerProtocol } from '../limits.ts';
import type { TrafficClass } from '../line-scheduler.ts';
import { paceOf } from './connection-pace.ts';
import { frameStream, type StreamMeter } from './frame-stream.ts';
import type { Line } from './line.ts';

/** How a protocol is served: the handler owns the stream and ends or aborts it. */
export interface ProtocolHandler {
  /** Largest frame taken from whoever opens the stream to us. */
  maxFrameBytes: number;
  /** Largest frame of the answers, where they may be larger: taken on streams that we open, sent on those we accept. */
  maxAnswerBytes?: number;
  /** `version`: of the protocol, as the stream speaks it. */
  handle(stream: FrameStream, from: { peer: string; connectionId: string; version: number }): Promise<void>;
}

/**
 * Serves every protocol of the mesh: a stream is refused over the quota of its peer and protocol, then by what the gate
 * says of the peer now, and what a handler throws ends its stream. Called once, before the node starts.
 */
export async function serveProtocols(
  node: Libp2p,
  options: {
    handlers: Record<ProtocolName, ProtocolHandler>;
    admit: (peer: string) => Admission;
    beforeRefusal?: () => Promise<void>;
    line: Line;
    frameDeadlineMs?: number;
    /** The versions that are spoken of a protocol, newest first. */
    spoken: (name: ProtocolName) => string[];
    meterFor: (peer: string, trafficClass: TrafficClass) => StreamMeter;
    events: {
      refused(who: string, why: string, step: 'protocol' | 'quota'): void;
      streamFailed(peer: string, protocol: ProtocolName, error: unknown): void;
    };
  },
): Promise<void> {
  const { admit, events, line, spoken, meterFor } = options;
  /** Open streams by peer and protocol. */
  const openStreams = new Map<string, number>();

  for (const name of Object.keys(protocols) as ProtocolName[]) {
    const handler = options.handlers[name];
    await node.handle(
      spoken(name),
      async (stream: Stream, connection: Connection) => {
        const peer = connection.remotePeer.toString();
        const frames = frameStream(stream, {
          maxFrameBytes: handler.maxFrameBytes,
          maxSentBytes: handler.maxAnswerBytes ?? handler.maxFrameBytes,
          meter: meterFor(peer, protocolClass[name]),
          line,
          pace: paceOf(connection, line),
          trafficClass: protocolClass[name],
          deadlineMs: options.frameDeadlineMs,
        });
        const key = `${name} ${peer}`;
        const others = openStreams.get(key) ?? 0;
        const { streams, lastsMs } = protocolLimits(name);
        if (others >= streams) {
          events.refused(peer, `too many ${name} streams`, 'quota');
          frames.abort(new Error('too many streams'));
          return;
        }
        openStreams.set(key, others + 1);
        const timer =
          lastsMs === undefined
            ? undefined
            : setTimeout(() => frames.abort(new Error('takes too long')), lastsMs).unref();
        try {
          if (!admitProtocol(admit(peer), name)) await options.beforeRefusal?.();
          if (!admitProtocol(admit(peer), name)) {
            events.refused(peer, `${name} is for friends`, 'protocol');
            frames.abort(new Error('not allowed'));
            return;
          }
          const version = protocolVersion(stream.protocol) ?? 0;
          await handler.handle(frames, { peer, connectionId: connection.id, version });
        } catch (error) {
          events.streamFailed(peer, name, error);
          frames.abort(error instanceof Error ? error : new Error('stream failed'));
        } finally {
          clearTimeout(timer);
          const left = (openStreams.get(key) ?? 1) - 1;
          if (left > 0) openStreams.set(key, left);
          else openStreams.delete(key);
        }
      },
      { maxInboundStreams: maxStreamsPerProtocol, maxOutboundStreams: maxStreamsPerProtocol },
    );
  }
}
