-- wrk: logins of USERS users in turn, through the application CLIENT_TOKEN is of.
local requests, next = {}, 0

function init()
    local headers = {
        ["Host"] = wrk.headers["Host"],
        ["Content-Type"] = "application/json",
        ["Authorization"] = "Bearer " .. os.getenv("CLIENT_TOKEN"),
    }
    for user = 1, tonumber(os.getenv("USERS")) do
        local body = string.format('{"email":"user-%d@example.com","password":"seven-lanterns-%d-violins"}', user, user)
        requests[user] = wrk.format("POST", "/users/session", headers, body)
    end
end

function request()
    next = next % #requests + 1
    return requests[next]
end

function done(summary, latency)
    local errors = summary.errors
    local bad = errors.connect + errors.read + errors.write + errors.timeout + errors.status
    io.write(string.format("measured %d %.2f %.3f %d\n", summary.requests, summary.requests / summary.duration * 1e6,
        latency:percentile(99) / 1000, bad))
end
