-- wrk: logins of USERS users in turn, through the application CLIENT_TOKEN is of.
dofile(os.getenv("BENCHES") .. "/requests.lua")

prepared(function(requests)
    local headers = {
        ["Host"] = wrk.headers["Host"],
        ["Content-Type"] = "application/json",
        ["Authorization"] = "Bearer " .. os.getenv("CLIENT_TOKEN"),
    }
    for user = 1, tonumber(os.getenv("USERS")) do
        local body = string.format('{"email":"user-%d@example.com","password":"seven-lanterns-%d-violins"}', user, user)
        requests[user] = wrk.format("POST", "/users/session", headers, body)
    end
end)
