-- What the scripts of wrk share: sending prepared requests in turn, and the line that `load` in measure.sh reads.

-- prepared(make): `make` fills a list when wrk has resolved the host; its requests are sent one after another, for ever.
function prepared(make)
    local requests, next = {}, 0
    function init()
        make(requests)
    end
    function request()
        next = next % #requests + 1
        return requests[next]
    end
end

function done(summary, latency)
    local errors = summary.errors
    local bad = errors.connect + errors.read + errors.write + errors.timeout + errors.status
    io.write(string.format("measured %d %.2f %.3f %d\n", summary.requests, summary.requests / summary.duration * 1e6,
        latency:percentile(99) / 1000, bad))
end
