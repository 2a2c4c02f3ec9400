//! What Redis does for us in one piece, in Lua: [`BEAT`] and [`COMMIT`] are [`Shelf`](super::protocol::Shelf) in its
//! words. Every write but that of what administrators ask for checks the fencing token.

/// Answers a replica. Keys: the state, the chunks that are missing, what administrators ask for, the secret. Arguments:
/// who asks, its wish, its floor, the epoch and the sequence that it has seen, the life of its lease in ms, whether it
/// has written all, the channel, the secret that it goes by. The leader gets what others miss, once, and what is asked
/// for until it has taken that in; and it keeps its secret where Redis has lost the one that there was.
pub(super) const BEAT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'until', 'stored_epoch', 'stored_sequence', 'fresh_at', 'life')
local function number(at) return tonumber(kept[at] or '0') or 0 end
local epoch, holder, till, fresh_at = number(1), kept[2] or '', number(3), number(6)
local stored_epoch, stored_sequence = number(4), number(5)
local replica, wish, floor = ARGV[1], ARGV[2], tonumber(ARGV[3])
local seen_epoch, seen_sequence, life = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if now + number(7) < till then
  till = now + number(7)
  redis.call('HSET', KEYS[1], 'until', till)
end
if now < fresh_at then
  fresh_at = now
  redis.call('HSET', KEYS[1], 'fresh_at', fresh_at)
end
local lost = stored_epoch < seen_epoch or stored_epoch == seen_epoch and stored_sequence < seen_sequence
if lost and epoch <= seen_epoch then floor = math.max(floor, seen_epoch + 1) end
if epoch < floor then
  epoch, holder = floor, ''
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'holder', '')
end
if wish == 'release' then
  if holder == replica then
    holder = ''
    redis.call('HSET', KEYS[1], 'holder', '')
    redis.call('PUBLISH', ARGV[8], 'free')
  end
elseif holder == replica and now < till then
  till = now + life
  redis.call('HSET', KEYS[1], 'until', till, 'life', life)
  if ARGV[7] == '1' then
    fresh_at = now
    redis.call('HSET', KEYS[1], 'fresh_at', now)
  end
elseif holder == '' or till <= now then
  epoch, holder, till = epoch + 1, replica, now + life
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'holder', holder, 'until', till, 'life', life)
end
local ours, left = 0, 0
if holder == replica then ours = 1 end
if holder ~= '' then left = math.max(0, till - now) end
local missing, asked = {}, {}
if ours == 1 then
  missing = redis.call('SPOP', KEYS[2], 256)
  asked = redis.call('HGETALL', KEYS[3])
  if ARGV[9] ~= '' then redis.call('SET', KEYS[4], ARGV[9], 'NX') end
end
local secret = redis.call('GET', KEYS[4]) or ''
return {epoch, ours, left, stored_epoch, stored_sequence, math.max(0, now - fresh_at), missing, asked, secret}
";

/// What the scripts of the leader begin with: whoever is not the leader is refused. Arguments: who writes, its epoch.
const FENCE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'until', 'stored_epoch', 'stored_sequence')
local function number(at) return tonumber(kept[at] or '0') or 0 end
if number(1) ~= tonumber(ARGV[2]) or kept[2] ~= ARGV[1] or number(3) <= now then return 'fenced' end
";

/// Takes a generation. Keys: the state. More arguments: the epoch and the sequence that it takes the place of, its own,
/// what it is, the channel.
const COMMIT: &str = r"
local stored_epoch, stored_sequence, epoch, sequence = number(4), number(5), tonumber(ARGV[5]), tonumber(ARGV[6])
if stored_epoch ~= tonumber(ARGV[3]) or stored_sequence ~= tonumber(ARGV[4]) then return 'moved' end
if epoch < stored_epoch or epoch == stored_epoch and sequence <= stored_sequence then return 'moved' end
redis.call('HSET', KEYS[1], 'stored_epoch', epoch, 'stored_sequence', sequence, 'fresh_at', now, 'manifest', ARGV[7])
redis.call('PUBLISH', ARGV[8], 'new')
return 'accepted'
";

/// Keeps chunks. More keys: theirs. More arguments: how long they last in seconds, and what they are.
const PUT: &str = r"
for at = 2, #KEYS do redis.call('SET', KEYS[at], ARGV[at + 2], 'EX', ARGV[3]) end
return 'accepted'
";

/// Lets chunks last anew, and tells which are there. More keys: theirs. More arguments: how long they last in seconds.
const TOUCH: &str = r"
local there = {}
for at = 2, #KEYS do there[at - 1] = redis.call('EXPIRE', KEYS[at], ARGV[3]) end
return there
";

/// Forgets what administrators asked for, unless it is asked for again. More keys: what they ask for. More arguments: the
/// registry and what was asked, as it stood there.
const DONE: &str = r"
if redis.call('HGET', KEYS[2], ARGV[3]) == ARGV[4] then redis.call('HDEL', KEYS[2], ARGV[3]) end
return 'accepted'
";

/// Drops chunks that nobody needs any more. More keys: theirs.
const DROP: &str = r"
for at = 2, #KEYS do redis.call('UNLINK', KEYS[at]) end
return 'accepted'
";

/// All of them, with their digests.
#[derive(Clone, Debug)]
pub(super) struct Scripts {
    pub(super) beat: redis::Script,
    pub(super) commit: redis::Script,
    pub(super) put: redis::Script,
    pub(super) touch: redis::Script,
    pub(super) done: redis::Script,
    pub(super) drop: redis::Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let fenced = |then: &str| redis::Script::new(&format!("{FENCE}{then}"));
        Self {
            beat: redis::Script::new(BEAT),
            commit: fenced(COMMIT),
            put: fenced(PUT),
            touch: fenced(TOUCH),
            done: fenced(DONE),
            drop: fenced(DROP),
        }
    }
}
